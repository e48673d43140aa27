"""Second factors and passkeys: what an account can show besides its password."""
