"""The Microsoft Graph client. Import its modules; importing the package alone costs nothing and touches no network."""
