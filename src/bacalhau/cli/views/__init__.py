"""What commands show: values of the model as text. Pure; time comes in as an argument."""
