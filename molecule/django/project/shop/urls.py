"""Paths of the project."""

from django.urls import path

from shop import views

urlpatterns = [
    path("order/<str:alias>/", views.order),
    path("aorder/<str:alias>/", views.aorder),
    path("opened/<str:alias>/", views.connections_opened),
]
