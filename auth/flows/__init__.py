"""The registry: one line a flow. What is listed here is what the service can do."""

from flask import Blueprint

from auth.flows import documents, login, logout, me, mfa, operations, published, refresh, register, sessions, totp

REGISTRY: tuple[Blueprint, ...] = (
    register.bp,
    login.bp,
    refresh.bp,
    logout.bp,
    me.bp,
    sessions.bp,
    mfa.bp,
    totp.bp,
    operations.bp,
    published.bp,
    documents.bp,
)
