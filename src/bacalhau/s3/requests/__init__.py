"""One request to S3: made, repeated where that helps, answered with values, and explained."""
