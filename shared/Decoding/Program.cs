using Distributed.Datasets.Imaging;
using Distributed.Imaging;

// Decodes for a host that has lost a process over a file and will not lose another: see IsolatedImageDecoding.
DecodingServer.Run(Console.OpenStandardInput(), Console.OpenStandardOutput(), ImageDecoder.Decode);
