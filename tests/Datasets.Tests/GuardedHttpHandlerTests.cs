using System.Net;
using Distributed.Datasets.Downloads;

namespace Distributed.Datasets.Tests;

public sealed class GuardedHttpHandlerTests
{
    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("171.64.68.10", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.8.9.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00:ec2::254", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("64:ff9b::a9fe:a9fe", false)]
    [InlineData("2002:7f00:1::", false)]
    public void Addresses_of_this_machine_and_its_network_are_told_from_public_ones(string address, bool isPublic) =>
        Assert.Equal(isPublic, GuardedHttpHandler.IsPublic(IPAddress.Parse(address)));

    [Theory]
    [InlineData("http://127.0.0.1:9/")]
    [InlineData("http://localhost:9/")]
    [InlineData("http://[::1]:9/")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://2130706433:9/")]
    [InlineData("http://0x7f.1:9/")]
    [InlineData("http://[::ffff:127.0.0.1]:9/")]
    [InlineData("ftp://example.org/")]
    public async Task Addresses_are_refused_however_they_are_written(string address)
    {
        using var http = new HttpClient(new GuardedHttpHandler(allowsPrivate: false, "Ingestion:AllowPrivateAddresses"));

        var refused = await Assert.ThrowsAsync<DatasetException>(() =>
            http.SendAsync(new HttpRequestMessage(HttpMethod.Get, new Uri(address)), TestContext.Current.CancellationToken)
        );

        Assert.Contains(new Uri(address).ToString(), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_resolves_to_this_machine_is_refused_when_connecting()
    {
        // The machine's own name: what the hosts file or the resolver make of it is loopback, or an address of a private network.
        var name = Dns.GetHostName();
        Assert.SkipUnless(
            (await Dns.GetHostAddressesAsync(name, TestContext.Current.CancellationToken)).All(address =>
                !GuardedHttpHandler.IsPublic(address)
            ),
            $"{name} has a public address."
        );
        using var http = new HttpClient(new GuardedHttpHandler(allowsPrivate: false, "Ingestion:AllowPrivateAddresses"));

        var refused = await Assert.ThrowsAsync<DatasetException>(() =>
            http.GetAsync(new Uri($"http://{name}:9/"), TestContext.Current.CancellationToken)
        );

        Assert.Contains("AllowPrivateAddresses", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_is_followed_with_the_range_that_was_asked_for()
    {
        await using var file = await DownloadServer.StartAsync([1, 2, 3, 4]);
        await using var server = await DownloadServer.StartAsync([]);
        server.RedirectTo = file.Address.ToString();
        using var http = new HttpClient(new GuardedHttpHandler(allowsPrivate: true, "Ingestion:AllowPrivateAddresses"));
        using var request = new HttpRequestMessage(HttpMethod.Get, server.Address);
        request.Headers.Range = new(2, null);

        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal([3, 4], await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("file:///etc/passwd", "no http or https address")]
    [InlineData("ftp://example.org/file", "no http or https address")]
    [InlineData("gopher://127.0.0.1/", "no http or https address")]
    [InlineData("/again", "redirects more than 10 times")]
    public async Task Redirects_to_other_schemes_or_without_end_are_refused(string target, string reason)
    {
        await using var server = await DownloadServer.StartAsync([]);
        server.RedirectTo = target;
        using var http = new HttpClient(new GuardedHttpHandler(allowsPrivate: true, "Ingestion:AllowPrivateAddresses"));

        var refused = await Assert.ThrowsAsync<DatasetException>(() =>
            http.GetAsync(server.Address, TestContext.Current.CancellationToken)
        );

        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        Assert.Contains(server.Address.ToString(), refused.Message, StringComparison.Ordinal);
    }
}
