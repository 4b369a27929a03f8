"""The Microsoft Graph client: auth, budget, paging, next-link guard and the one parser."""
