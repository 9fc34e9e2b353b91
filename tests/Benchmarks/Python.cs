namespace Distributed.Benchmarks;

/// <summary>Peers in Python, where they are installed; a script that fails to import is a peer that is not there.</summary>
internal static class Python
{
    public const string Path = "/usr/bin/python3";

    /// <summary>PyTorch's DenseNet-121 with channels last, the faster layout, at the better of two batch sizes.</summary>
    public const string Torch = """
        import sys, time, torch, torchvision
        size = int(sys.argv[1])
        net = torchvision.models.densenet121().features.eval().to(memory_format=torch.channels_last)
        def run(images):
            with torch.inference_mode():
                torch.relu(net(images)).mean((2, 3))
        def rate(images, seconds):
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < seconds:
                run(images)
                done += len(images)
            return done / (time.perf_counter() - start)
        batches = [torch.randn(n, 3, size, size).contiguous(memory_format=torch.channels_last) for n in (8, 32)]
        for images in batches:
            run(images)
        best = max(batches, key=lambda images: rate(images, 1.0))
        print(f"ready PyTorch {torch.__version__}, fp32, channels last, batch {len(best)}", flush=True)
        for _ in sys.stdin:
            print(rate(best, 1.5), flush=True)
        """;

    /// <summary>PIL: decoding, shorter side to a size with the bicubic filter, centre crop.</summary>
    public const string Pil = """
        import io, sys, time, PIL
        from concurrent.futures import ThreadPoolExecutor
        from pathlib import Path
        from PIL import Image
        import os
        files = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
        size = int(sys.argv[2])
        def fit(data):
            image = Image.open(io.BytesIO(data)).convert("RGB")
            scale = size / min(image.size)
            image = image.resize([max(size, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC)
            left, top = (image.width - size) // 2, (image.height - size) // 2
            return image.crop((left, top, left + size, top + size)).tobytes()
        pool = ThreadPoolExecutor(os.cpu_count())
        list(pool.map(fit, files))
        print(f"ready PIL {PIL.__version__}, {os.cpu_count()} threads", flush=True)
        for _ in sys.stdin:
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < 1.5:
                done += len(list(pool.map(fit, files)))
            print(done / (time.perf_counter() - start), flush=True)
        """;
}
