"""The table of orders."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Make it."""

    initial = True
    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("item", models.CharField(max_length=50)),
                ("amount", models.IntegerField(default=1)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
