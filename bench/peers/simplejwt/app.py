"""Django REST framework with djangorestframework-simplejwt, its database brought up to date at the start."""

import os

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
app = get_wsgi_application()
call_command("migrate", verbosity=0)
