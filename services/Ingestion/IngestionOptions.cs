using System.ComponentModel.DataAnnotations;
using Distributed.Datasets.Downloads;

namespace Distributed.Ingestion;

/// <summary>Settings of the section <c>Ingestion</c>.</summary>
internal sealed class IngestionOptions
{
    public const string Section = "Ingestion";

    /// <summary>Most images a part: some seconds of decoding.</summary>
    [Range(1, 100_000)]
    public int MostImagesAPart { get; set; } = 1024;

    /// <summary>Most bytes a part of packed images.</summary>
    [Range(1 << 20, 1 << 30)]
    public int MostBytesAPart { get; set; } = 64 << 20;

    /// <summary>Length of one slice of a download.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan DownloadSlice { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>The longest that a download may take, all slices together.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan DownloadTime { get; set; } = DownloadLimits.Default.Time;

    /// <summary>The most bytes of a download.</summary>
    [Range(1L, 1L << 50)]
    public long DownloadBytes { get; set; } = DownloadLimits.Default.Bytes;

    /// <summary>Whether downloads may come from addresses of this machine or its network: loopback, link-local, private.</summary>
    public bool AllowPrivateAddresses { get; set; }

    /// <summary>Where STL-10's archive comes from, where a mirror is nearer: an address, or the path of a file.</summary>
    public Uri? Stl10Url { get; set; }

    /// <summary>Images of the sample set.</summary>
    [Range(100, 50_000)]
    public int SampleTrainImages { get; set; } = 1000;

    /// <summary>Test images of the sample set.</summary>
    [Range(100, 50_000)]
    public int SampleTestImages { get; set; } = 500;
}
