"""What is for sale."""

from django.db import models


class Item(models.Model):
    """Something for sale."""

    name = models.CharField(max_length=50)

    class Meta:
        indexes = [models.Index(fields=["name"], name="catalog_item_name")]
