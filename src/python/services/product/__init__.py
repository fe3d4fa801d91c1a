"""Products: the catalogue, its search and images, and the stock that orders reserve, buy and give back."""
