"""The registry: one line a flow. What is listed here is what the service can do."""

from flask import Blueprint

from auth.flows import (
    documents,
    email_verification,
    login,
    logout,
    me,
    mfa,
    operations,
    password_reset,
    published,
    refresh,
    register,
    sessions,
    totp,
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
    mfa.bp,
    totp.bp,
    operations.bp,
    published.bp,
    documents.bp,
)
