"""From books to conversations: works, passages, themes, dates, and the generated library."""
