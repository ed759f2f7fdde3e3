"""Forms made of a JSON Schema: `schema` reads it, `draft` holds what was entered, `rules` judges it.

`schemaform` shows it, `secrets` keeps what nobody else may see out of texts.
"""
