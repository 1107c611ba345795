"""How many questions a gateway, and the stack behind it, answer; and how many of them a rate of questions needs."""
