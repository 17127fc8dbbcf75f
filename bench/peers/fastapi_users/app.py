"""fastapi-users as its documentation builds it: JWT by Bearer, SQLAlchemy on SQLite. It has no refresh tokens."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, IntegerIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTable, SQLAlchemyUserDatabase
from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.bcrypt import BcryptHasher
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SECRET = os.environ["SECRET_KEY"]
engine = create_async_engine(os.environ["DATABASE_URL"])
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTable[int], Base):
    id: Mapped[int] = mapped_column(primary_key=True)


async def user_database() -> AsyncGenerator[SQLAlchemyUserDatabase]:
    async with new_session() as session:
        yield SQLAlchemyUserDatabase(session, User)


class UserManager(IntegerIDMixin, BaseUserManager[User, int]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


async def user_manager(users: Annotated[SQLAlchemyUserDatabase, Depends(user_database)]) -> AsyncGenerator[UserManager]:
    # Its default is Argon2; bcrypt at cost 12 makes the logins of all peers the same work.
    yield UserManager(users, PasswordHelper(PasswordHash((BcryptHasher(rounds=12),))))


backend = AuthenticationBackend(
    name="jwt",
    transport=BearerTransport(tokenUrl="auth/login"),
    get_strategy=lambda: JWTStrategy(secret=SECRET, lifetime_seconds=86400),
)
people = FastAPIUsers[User, int](user_manager, [backend])
active_user = people.current_user(active=True)


@asynccontextmanager
async def tables(app: FastAPI) -> AsyncGenerator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


app = FastAPI(lifespan=tables)
app.include_router(people.get_auth_router(backend), prefix="/auth")
app.include_router(people.get_register_router(schemas.BaseUser[int], schemas.BaseUserCreate), prefix="/auth")
app.include_router(people.get_users_router(schemas.BaseUser[int], schemas.BaseUserUpdate), prefix="/users")


@app.get("/auth/protected")
async def protected(user: Annotated[User, Depends(active_user)]) -> dict[str, str]:
    return {"message": "You have access", "logged_in_as": user.email}
