// Keep the session awake: any execution does.
main(() => ({}));
