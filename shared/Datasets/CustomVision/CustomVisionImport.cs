using System.Text;
using Distributed.Storage;

namespace Distributed.Datasets.CustomVision;

/// <summary>What an import came to.</summary>
/// <param name="Project">Name of the project.</param>
/// <param name="Classes">Names of the class folders.</param>
/// <param name="Images">Images that are there.</param>
/// <param name="Fetched">Those of them that were fetched now.</param>
/// <param name="Skipped">Images without exactly one tag.</param>
/// <param name="Untagged">Images without a tag.</param>
/// <param name="Warnings">What a person must know, in whole sentences.</param>
public sealed record ImportOutcome(
    string Project,
    IReadOnlyList<string> Classes,
    int Images,
    int Fetched,
    int Skipped,
    int Untagged,
    IReadOnlyList<string> Warnings
);

/// <summary>
/// Copies the tagged images of a project of Azure Custom Vision into class folders, by its Training API 3.3. An import that is cut off goes
/// on with what is missing:
/// files appear whole, under the ids of their images.
/// </summary>
public sealed class CustomVisionImport
{
    /// <summary>
    /// What is added to the target's path for the list of images that were left out: in the folder it would be part of the data set.
    /// </summary>
    public const string SkippedSuffix = ".skipped.csv";

    private const int AtOnce = 4;

    private readonly TrainingApi _api;

    /// <param name="http">Fetches; redirects and addresses are its business.</param>
    /// <param name="endpoint">Endpoint of the resource, such as <c>https://NAME.cognitiveservices.azure.com/</c>.</param>
    /// <param name="key">The training key.</param>
    /// <param name="time">What pauses between attempts are timed by.</param>
    public CustomVisionImport(HttpClient http, Uri endpoint, string key, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        _api = new TrainingApi(http, new Uri(endpoint.ToString().TrimEnd('/') + "/"), key, time);
    }

    /// <summary>Imports a project.</summary>
    /// <param name="projectId">The project.</param>
    /// <param name="folder">The target; made where it is not there.</param>
    /// <param name="progress">Hears how many of how many images are done; may be null.</param>
    /// <param name="cancellationToken">Stops it; what is there stays.</param>
    /// <exception cref="DatasetException">The project cannot be read, or is one that locates objects.</exception>
    /// <exception cref="IOException">The target cannot be written.</exception>
    public async Task<ImportOutcome> RunAsync(
        Guid projectId,
        string folder,
        IProgress<(int Done, int Total)>? progress,
        CancellationToken cancellationToken
    )
    {
        var project = await _api.GetProjectAsync(projectId, cancellationToken);
        if ((await _api.GetDomainAsync(project.Settings.DomainId, cancellationToken)).Type != "Classification")
        {
            throw new DatasetException(
                $"The project '{project.Name}' locates objects in images, and this program classifies whole images. Its images can be imported once they are tagged as a whole, in a project of the type classification."
            );
        }

        var folders = FoldersOf(await _api.GetTagsAsync(projectId, cancellationToken));
        var total = await _api.CountTaggedAsync(projectId, cancellationToken);
        Directory.CreateDirectory(folder);
        var target = new Target(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)), folders);
        var (done, fetched, skipped) = (0, 0, new List<TaggedImage>());
        for (var skip = 0; ; )
        {
            var page = await _api.GetImagesAsync(projectId, skip, cancellationToken);
            if (page.Count == 0)
            {
                break;
            }

            skip += page.Count;
            skipped.AddRange(page.Where(image => image.Tags is not { Count: 1 }));
            await Parallel.ForEachAsync(
                page.Where(image => image.Tags is { Count: 1 }),
                new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
                async (image, token) =>
                {
                    if (!target.Has(image))
                    {
                        await target.WriteAsync(image, await _api.DownloadAsync(image.OriginalImageUri, token), token);
                        Interlocked.Increment(ref fetched);
                    }

                    var now = Interlocked.Increment(ref done);
                    progress?.Report((now, total));
                }
            );
        }

        await target.WriteSkippedAsync(skipped, cancellationToken);
        var untagged = await _api.CountUntaggedAsync(projectId, cancellationToken);
        return new ImportOutcome(
            project.Name,
            [.. folders.Values.Order(StringComparer.Ordinal)],
            done,
            fetched,
            skipped.Count,
            untagged,
            [.. Warn(project, skipped.Count, untagged)]
        );
    }

    private static IEnumerable<string> Warn(Project project, int skipped, int untagged)
    {
        if (project.Settings.ClassificationType == "Multilabel")
        {
            yield return $"The project '{project.Name}' may give an image several tags (multilabel); here an image has one class. Images with exactly one tag were imported, and the probabilities of a head sum to 1.";
        }

        if (skipped > 0)
        {
            yield return $"{skipped} images have several tags and were left out; a list of them is beside the folder, in a file that ends with {SkippedSuffix}.";
        }

        if (untagged > 0)
        {
            yield return $"{untagged} images have no tag and were left out.";
        }
    }

    /// <summary>Folder names by tag: what file systems do not take becomes a dash.</summary>
    private static Dictionary<Guid, string> FoldersOf(IReadOnlyList<Tag> tags)
    {
        var folders = tags.ToDictionary(tag => tag.Id, tag => FolderOf(tag.Name));
        var twice = folders.GroupBy(pair => pair.Value, StringComparer.OrdinalIgnoreCase).FirstOrDefault(group => group.Count() > 1);
        return twice is null
            ? folders
            : throw new DatasetException(
                $"The tags {string.Join(" and ", tags.Where(tag => twice.Any(pair => pair.Key == tag.Id)).Select(tag => $"'{tag.Name}'"))} have the same folder name '{twice.Key}'. Rename one of them in the project."
            );
    }

    private static string FolderOf(string tag)
    {
        var name = new StringBuilder(tag.Length);
        foreach (var character in tag.Trim())
        {
            name.Append(char.IsControl(character) || @"/\:*?""<>|".Contains(character, StringComparison.Ordinal) ? '-' : character);
        }

        // Names that begin with a dot are hidden, and skipped as such.
        return name.ToString().TrimStart('.').TrimEnd('.', ' ') is { Length: > 0 } folder ? folder : "unnamed";
    }

    /// <summary>The folder that is written.</summary>
    private sealed class Target(string root, IReadOnlyDictionary<Guid, string> folders)
    {
        private readonly HashSet<string> _there =
        [
            .. Directory
                .EnumerateFiles(root, "*", SearchOption.AllDirectories)
                .Where(path => !path.EndsWith(Volume.TemporarySuffix, StringComparison.Ordinal))
                .Select(path => Path.Combine(Path.GetDirectoryName(path)!, Path.GetFileNameWithoutExtension(path))),
        ];

        /// <summary>Whether the file is there, under its image's id and tag.</summary>
        public bool Has(TaggedImage image) => _there.Contains(Stem(image));

        public async Task WriteAsync(TaggedImage image, byte[] content, CancellationToken cancellationToken)
        {
            var path = Stem(image) + ExtensionOf(content);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var temporary = path + Volume.TemporarySuffix;
            await File.WriteAllBytesAsync(temporary, content, cancellationToken);
            File.Move(temporary, path, overwrite: true);
        }

        public async Task WriteSkippedAsync(List<TaggedImage> images, CancellationToken cancellationToken)
        {
            var path = root + SkippedSuffix;
            if (images.Count == 0)
            {
                File.Delete(path);
                return;
            }

            var lines = images.Select(image =>
                $"{image.Id:D},\"{string.Join("; ", (image.Tags ?? []).Select(tag => tag.TagName.Replace("\"", "\"\"", StringComparison.Ordinal)))}\""
            );
            await File.WriteAllLinesAsync(path, lines.Prepend("image,tags"), cancellationToken);
        }

        private string Stem(TaggedImage image) =>
            Path.Combine(
                root,
                folders.TryGetValue(image.Tags[0].TagId, out var folder) ? folder : FolderOf(image.Tags[0].TagName),
                image.Id.ToString("D")
            );

        /// <summary>By the content: addresses of uploaded images say nothing of it.</summary>
        private static string ExtensionOf(ReadOnlySpan<byte> content) =>
            content switch
            {
                [0x89, (byte)'P', (byte)'N', (byte)'G', ..] => ".png",
                [(byte)'G', (byte)'I', (byte)'F', ..] => ".gif",
                [(byte)'B', (byte)'M', ..] => ".bmp",
                _ => ".jpg",
            };
    }
}
