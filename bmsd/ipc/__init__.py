"""What processes share: published files, the request socket, the frame ring, and the sentences that people read."""
