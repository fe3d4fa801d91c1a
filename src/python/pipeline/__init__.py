"""What a pull request goes through, as commands that also run here: `./pants ci`."""
