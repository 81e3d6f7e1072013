"""The table of items with a first row: schema and data in one transaction."""

from django.db import migrations, models


def fill(apps, schema_editor):
    """Put a row in, by the alias that is migrated."""
    apps.get_model("catalog", "Item").objects.using(schema_editor.connection.alias).create(name="lamp")


class Migration(migrations.Migration):
    """Make and fill it."""

    initial = True
    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
            ],
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
