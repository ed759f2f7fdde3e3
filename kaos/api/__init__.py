"""What a person can declare. `names` holds what every room needs and is quick to import; the models need pydantic."""
