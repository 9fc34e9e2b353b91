namespace Distributed.Vision.Engines;

/// <summary>A network whose features are computed by kernels that were made for it, on the processor.</summary>
/// <remarks>Every image is computed by itself: neither its neighbours nor the number of threads change a bit of its features.</remarks>
internal unsafe interface ICompiledNetwork : IDisposable
{
    /// <summary>Computes features.</summary>
    /// <param name="images">uint8 [count, height, width, 3].</param>
    /// <param name="count">Images.</param>
    /// <param name="height">Pixels.</param>
    /// <param name="width">Pixels.</param>
    /// <param name="features">Receives [count, features].</param>
    /// <param name="threads">Threads to use.</param>
    void Run(byte* images, int count, int height, int width, float* features, int threads);
}
