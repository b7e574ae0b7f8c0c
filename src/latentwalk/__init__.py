"""latentwalk: train a GAN and a VAE on MNIST, and interpolate images in their latent spaces."""

__version__ = "0.1.0"
