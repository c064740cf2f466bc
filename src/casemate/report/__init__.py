"""Results for people and programs. Sees only the model."""
