using static TorchSharp.torch;

namespace Distributed.Vision.Heads;

/// <summary>
/// Adam (Kingma and Ba: A Method for Stochastic Optimization, 2015, algorithm 1) as <c>torch.optim.Adam</c> computes it, on
/// one flat tensor, with its state in the open.
/// </summary>
/// <param name="first">Running mean of the gradient; changed in place.</param>
/// <param name="second">Running mean of its square; changed in place.</param>
/// <param name="learningRate">Positive.</param>
/// <param name="weightDecay">L2 penalty, added to the gradient.</param>
internal sealed class Adam(Tensor first, Tensor second, double learningRate, double weightDecay)
{
    private const double FirstDecay = 0.9;
    private const double SecondDecay = 0.999;
    private const double Epsilon = 1e-8;

    /// <summary>Changes the parameters by one step.</summary>
    /// <param name="parameters">Changed in place.</param>
    /// <param name="gradient">Changed in place where there is weight decay.</param>
    /// <param name="step">Number of this step, beginning with 1.</param>
    public void Step(Tensor parameters, Tensor gradient, long step)
    {
        using var scope = NewDisposeScope();
        if (weightDecay > 0)
        {
            gradient.add_(parameters, alpha: weightDecay);
        }

        first.mul_(FirstDecay).add_(gradient, alpha: 1 - FirstDecay);
        second.mul_(SecondDecay).addcmul_(gradient, gradient, 1 - SecondDecay);
        var scale = Math.Sqrt(1 - Math.Pow(SecondDecay, step));
        var denominator = second.sqrt().div_(scale).add_(Epsilon);
        parameters.addcdiv_(first, denominator, -learningRate / (1 - Math.Pow(FirstDecay, step)));
    }
}
