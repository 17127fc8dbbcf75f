"""The registry: one line a flow. What is listed here is what the service can do."""

from flask import Blueprint

from auth.flows import (
    deletion,
    dev_mail,
    documents,
    email_change,
    email_verification,
    export,
    login,
    logout,
    magic_link,
    me,
    mfa,
    my_events,
    not_me,
    operations,
    passkey_login,
    passkeys,
    password_change,
    password_reset,
    published,
    reauthenticate,
    recovery_codes,
    refresh,
    register,
    sessions,
    totp,
    username_change,
)

REGISTRY: tuple[Blueprint, ...] = (
    register.bp,
    login.bp,
    refresh.bp,
    logout.bp,
    me.bp,
    sessions.bp,
    email_verification.bp,
    password_reset.bp,
    password_change.bp,
    email_change.bp,
    username_change.bp,
    magic_link.bp,
    not_me.bp,
    my_events.bp,
    export.bp,
    deletion.bp,
    mfa.bp,
    totp.bp,
    recovery_codes.bp,
    reauthenticate.bp,
    passkeys.bp,
    passkey_login.bp,
    operations.bp,
    published.bp,
    documents.bp,
)

# What is there in development and absent in production.
DEVELOPMENT: tuple[Blueprint, ...] = (dev_mail.bp,)
