// Show that the session is in use.
main(() => ({}));
