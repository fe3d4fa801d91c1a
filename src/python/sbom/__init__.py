"""What the images of the services are made of, under which licences, and what is known against it."""
