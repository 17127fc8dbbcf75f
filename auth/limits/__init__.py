"""Who may try how often: named limits of requests (`rates`), and the budget of guesses at an account (`lockout`)."""

from auth.limits.lockout import count_guess, count_own_guess, forgive
from auth.limits.rates import LETTERS, check, check_person, init_app, tell

__all__ = ["LETTERS", "check", "check_person", "count_guess", "count_own_guess", "forgive", "init_app", "tell"]
