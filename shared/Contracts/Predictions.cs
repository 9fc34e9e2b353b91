namespace Distributed.Contracts;

/// <summary>
/// Asks an Evaluation host for the classes of images, and is answered with <see cref="ImagesPredicted"/>. It expires with its sender's
/// patience; a host that dies over it costs a delivery to another.
/// </summary>
/// <param name="Model">The model.</param>
/// <param name="Version">The number of its version.</param>
/// <param name="RunId">The version's run: a model that was deleted and registered again has other versions of the same numbers.</param>
/// <param name="Images">Image files, as they are.</param>
/// <param name="Top">How many of the most probable classes to return, at least 1.</param>
/// <param name="Evidence">What to return beside them; null for nothing.</param>
/// <param name="ArePixels">
/// Whether <paramref name="Images"/> are pixels of the model's size, size × size × 3 bytes each in RGB, and no files.
/// </param>
public sealed record PredictImages(
    string Model,
    int Version,
    Guid RunId,
    IReadOnlyList<byte[]> Images,
    int Top,
    EvidenceRequest? Evidence,
    bool ArePixels = false
);

/// <summary>What supports a prediction.</summary>
/// <param name="Neighbours">How many of the nearest training images to return; 0 for none.</param>
/// <param name="IsUnusual">Whether to measure how unusual the image is.</param>
/// <param name="Confidence">The confidence of a set of classes; null for no set. Above 0 and below 1.</param>
public sealed record EvidenceRequest(int Neighbours, bool IsUnusual, double? Confidence);

/// <summary>The classes of images.</summary>
/// <param name="RunId">The run that trained the head.</param>
/// <param name="HeadSha256">SHA-256 of the head's file.</param>
/// <param name="Images">One for each image, in their order; empty where the request was refused.</param>
/// <param name="Milliseconds">Where the time went.</param>
/// <param name="Refused">Why nothing was predicted, in a whole sentence; null where it was.</param>
public sealed record ImagesPredicted(
    Guid RunId,
    string HeadSha256,
    IReadOnlyList<ImagePrediction> Images,
    PredictionTiming Milliseconds,
    string? Refused = null
);

/// <summary>The classes of one image.</summary>
/// <param name="Classes">The most probable first; empty where the image cannot be used.</param>
/// <param name="Evidence">What supports it, where that was asked for.</param>
/// <param name="Rejected">Why the image cannot be used; null where it can.</param>
public sealed record ImagePrediction(IReadOnlyList<ClassProbability> Classes, PredictionEvidence? Evidence = null, string? Rejected = null);

/// <summary>A class and how probable it is.</summary>
/// <param name="Class">Name of the class.</param>
/// <param name="Probability">0 to 1; those of all classes sum to 1.</param>
public sealed record ClassProbability(string Class, double Probability);

/// <summary>What supports the prediction of one image.</summary>
/// <param name="Nearest">The training images whose features are most alike, the nearest first; null where none were asked for.</param>
/// <param name="Distance">Mahalanobis distance to the mean of the nearest class; null where it was not asked for.</param>
/// <param name="DistancePercentile">
/// The share of training images, each left out in turn, that are nearer to theirs, 0 to 1: near 1, the image is unlike all that the model was
/// trained on.
/// </param>
/// <param name="ClassSet">The classes among which the true one is with the confidence asked for, the most probable first; null where no set was asked for.</param>
/// <param name="Missing">Why something that was asked for is missing; null where nothing is.</param>
public sealed record PredictionEvidence(
    IReadOnlyList<NearestTrainingImage>? Nearest,
    double? Distance,
    double? DistancePercentile,
    IReadOnlyList<string>? ClassSet,
    string? Missing
);

/// <summary>A training image that is alike.</summary>
/// <param name="Image">Its name in the data set.</param>
/// <param name="Sha256">SHA-256 of its file.</param>
/// <param name="Class">Its class.</param>
/// <param name="Similarity">Cosine of the angle between the standardised features, -1 to 1.</param>
public sealed record NearestTrainingImage(string Image, string Sha256, string Class, double Similarity);

/// <summary>Where a prediction's time went, in milliseconds.</summary>
/// <param name="Decode">Decoding and resizing.</param>
/// <param name="Wait">Waiting for other images that are computed together, and for the device.</param>
/// <param name="Compute">Features and head.</param>
public sealed record PredictionTiming(double Decode, double Wait, double Compute);
