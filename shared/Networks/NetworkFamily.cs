namespace Distributed.Networks;

/// <summary>Networks that are built alike and whose weights are named alike.</summary>
/// <param name="Architectures">Its networks.</param>
/// <param name="CanonicalName">
/// From the name of a tensor in any spelling that is in use, without what trainers put before it, to the name in the graph; null for what
/// takes no part in features.
/// </param>
public sealed record NetworkFamily(IReadOnlyList<NetworkArchitecture> Architectures, Func<string, string?> CanonicalName)
{
    /// <summary>The known ones.</summary>
    public static IReadOnlyList<NetworkFamily> All => [DenseNet.Family, ResNet.Family];
}

/// <summary>Weights that somebody publishes.</summary>
/// <param name="Architecture">What they are for.</param>
/// <param name="Origin">One line for people: what they were trained on, and by whom.</param>
/// <param name="Licence">SPDX identifier of the licence that they are published under.</param>
/// <param name="Url">Where the file is.</param>
/// <param name="Sha256">Of the file, 64 lower-case hexadecimal digits.</param>
public sealed record PretrainedWeights(NetworkArchitecture Architecture, string Origin, string Licence, Uri Url, string Sha256);
