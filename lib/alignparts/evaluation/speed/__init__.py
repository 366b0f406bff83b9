"""Speed of the methods, stage by stage; never part of a result table."""
