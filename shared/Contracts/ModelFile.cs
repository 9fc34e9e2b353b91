namespace Distributed.Contracts;

/// <summary>Which file of a model is wanted.</summary>
public enum ModelFile
{
    /// <summary>A zip file of all the others and a description.</summary>
    Package,

    /// <summary>The whole network, from pixels to probabilities.</summary>
    Onnx,

    /// <summary>The head alone, as safetensors.</summary>
    Head,

    /// <summary>The model card.</summary>
    Card,
}
