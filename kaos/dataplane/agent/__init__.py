"""An agent: a model with instructions, tools and peers, answering chats over HTTP."""
