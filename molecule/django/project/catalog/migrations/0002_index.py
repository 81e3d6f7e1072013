"""An index without locking the table, which PostgreSQL refuses inside a transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Make the index."""

    atomic = False
    dependencies = [("catalog", "0001_initial")]
    operations = [
        AddIndexConcurrently("Item", models.Index(fields=["name"], name="catalog_item_name")),
    ]
