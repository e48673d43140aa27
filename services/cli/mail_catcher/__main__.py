"""``python -m services.cli.mail_catcher``."""

import argparse
from pathlib import Path

from services.cli.mail_catcher.running import run


def main() -> None:
    """Run the mail catcher until it is told to stop."""
    parser = argparse.ArgumentParser(
        prog="mail_catcher",
        description="Takes every mail on a local SMTP port, delivers none, shows them on a page.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--smtp-port", type=int, default=1025, help="SMTP (%(default)s)")
    parser.add_argument("--http-port", type=int, default=8025, help="the page (%(default)s)")
    parser.add_argument(
        "--folder", type=Path, default=Path("var/mails"), help="where to keep them (%(default)s)"
    )
    given = parser.parse_args()
    run(given.host, given.smtp_port, given.http_port, given.folder)


if __name__ == "__main__":
    main()
