namespace Distributed.Imaging;

/// <summary>A decoded image.</summary>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
/// <param name="Pixels">Height × width × 3 bytes, red, green, blue, row by row.</param>
public sealed record RgbImage(int Width, int Height, byte[] Pixels);
