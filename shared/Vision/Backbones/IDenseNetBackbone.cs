namespace Distributed.Vision;

/// <summary>What every DenseNet is made of, however it is computed.</summary>
internal interface IDenseNetBackbone : IBackbone
{
    DenseNetArchitecture Architecture { get; }

    BackboneWeights Weights { get; }
}
