"""What a model does with feedback before any training: whom it believes, when it speaks up, how its errors look."""
