namespace Distributed.Vision.Heads;

/// <summary>Nearly the inverse of the curvature of loss plus penalty at a point.</summary>
internal interface IPreconditioner
{
    /// <summary>Multiplies with the inverse.</summary>
    /// <param name="residual">[<see cref="RowShape.PaddedClasses"/>, <see cref="RowShape.Stride"/>], like the weights.</param>
    /// <param name="result">Receives the product, like it.</param>
    void Apply(double[] residual, double[] result);
}
