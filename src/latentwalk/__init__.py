"""latentwalk: train a GAN, a VAE and a conditional GAN on MNIST and walk between images in their latent spaces."""

__version__ = "0.1.0"
