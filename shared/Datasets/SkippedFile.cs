using Distributed.Imaging;

namespace Distributed.Datasets;

/// <summary>A file or folder of a source that was seen and is not used.</summary>
/// <param name="Name">Path below the source's root with forward slashes; bytes that are no UTF-8 and control characters as <c>\xe9</c>.</param>
/// <param name="Reason">The kind of reason, to count by.</param>
/// <param name="Detail">The reason in words, a phrase such as "the link leads to '/srv/photos', outside the data set".</param>
public sealed record SkippedFile(string Name, SkipReason Reason, string Detail);
