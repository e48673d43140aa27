"""Everything that answers "who is asking", put together."""

from dataclasses import dataclass
from datetime import timedelta

from nats.js import JetStreamContext

from libs.chassis.buckets import Bucket as JetStreamBucket
from services.leads.auth.accounts import ACCOUNTS, Bucket
from services.leads.auth.api_keys import API_KEYS, KeyBucket
from services.leads.auth.live import LiveSessions
from services.leads.auth.live_keys import LiveKeys
from services.leads.auth.mfa.credentials import CREDENTIALS
from services.leads.auth.mfa.parts import Mfa, open_mfa
from services.leads.auth.mfa.passkeys import relying_party
from services.leads.auth.mfa.sign_ins import SIGN_INS
from services.leads.auth.passwords import Passwords
from services.leads.auth.sessions import SESSIONS, Sessions
from services.leads.auth.signing_keys import SIGNING_KEYS, KeyRing
from services.leads.auth.throttle import Throttle
from services.leads.auth.tokens import AccessTokens
from services.leads.settings import LeadsSettings


@dataclass(frozen=True, slots=True)
class Auth:
    """The parts of authentication."""

    accounts: Bucket
    passwords: Passwords
    sessions: Sessions
    keys: KeyRing
    tokens: AccessTokens
    throttle: Throttle
    live: LiveSessions
    mfa: Mfa
    api_keys: KeyBucket
    live_keys: LiveKeys


def open_auth(js: JetStreamContext, settings: LeadsSettings) -> Auth:
    """Build the parts on their buckets; nothing is read yet."""
    api_keys = JetStreamBucket(js, API_KEYS)
    keys = KeyRing(JetStreamBucket(js, SIGNING_KEYS))
    accounts = JetStreamBucket(js, ACCOUNTS)
    sessions = Sessions(JetStreamBucket(js, SESSIONS), timedelta(seconds=settings.session_seconds))
    mfa = open_mfa(
        JetStreamBucket(js, CREDENTIALS),
        JetStreamBucket(js, "SETTINGS"),
        JetStreamBucket(js, SIGN_INS),
        party=relying_party(settings.public_url),
        keys=[key.get_secret_value() for key in settings.credential_key],
    )
    return Auth(
        accounts=accounts,
        passwords=Passwords(),
        sessions=sessions,
        keys=keys,
        tokens=AccessTokens(
            keys,
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            lifetime=timedelta(seconds=settings.access_token_seconds),
        ),
        throttle=Throttle(),
        live=LiveSessions(sessions, accounts, policies=mfa.policies),
        mfa=mfa,
        api_keys=api_keys,
        live_keys=LiveKeys(api_keys),
    )
