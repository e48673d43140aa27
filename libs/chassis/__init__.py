"""What every service needs and no event knows.

Settings, logging, problem documents, the HTTP application, its OpenAPI description, the
process's life, the NATS connection, health and metrics. A service imports the module it
needs; this package re-exports nothing.
"""
