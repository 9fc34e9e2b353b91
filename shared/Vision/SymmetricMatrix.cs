using Distributed.Vision.Devices;
using static TorchSharp.torch;

namespace Distributed.Vision;

/// <summary>Eigenvalues and eigenvectors of symmetric matrices.</summary>
internal static class SymmetricMatrix
{
    /// <summary>
    /// Decomposes a matrix. On one thread: LAPACK's thousands of short parallel loops wait for each other by spinning, which takes seconds
    /// instead of a fraction of one where other processes want the cores too.
    /// </summary>
    /// <param name="matrix">float64 [n, n], symmetric.</param>
    /// <returns>Eigenvalues, rising, and eigenvectors in columns.</returns>
    public static (double[] Values, Tensor Vectors) Decompose(Tensor matrix)
    {
        using var alone = TorchEnvironment.WithThreads(1);
        var (values, vectors) = linalg.eigh(matrix);
        return (values.cpu().data<double>().ToArray(), vectors);
    }
}
