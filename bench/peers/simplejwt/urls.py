"""The routes: those of simplejwt, and three views."""

from django.contrib.auth.models import User
from django.urls import path
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView


@api_view(["POST"])
@permission_classes([AllowAny])
def register(request):
    user = User.objects.create_user(request.data["username"], request.data["email"], request.data["password"])
    return Response({"user_id": user.id}, status=201)


@api_view(["GET"])
def protected(request):
    return Response({"message": "You have access", "logged_in_as": request.user.username})


@api_view(["GET"])
def me(request):
    user = request.user
    return Response({"id": user.id, "username": user.username, "email": user.email, "created_at": user.date_joined})


urlpatterns = [
    path("auth/register", register),
    path("auth/login", TokenObtainPairView.as_view()),
    path("auth/refresh", TokenRefreshView.as_view()),
    path("auth/protected", protected),
    path("auth/me", me),
]
