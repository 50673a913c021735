"""Images from the web, fetched politely by several threads; whatever goes wrong has a name.

A server may answer with anything or not at all, so size, time and the number of redirects are bounded,
and nothing is believed to be an image before Pillow has decoded it.
"""

import itertools
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import unquote, urlsplit

from PIL import Image

from tinygrad_hw.vision.datasets.reading import open_image

MAX_BYTES = 20 * 2**20
MIN_BYTES = 1000  # smaller files are icons and error pictures
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 5, 5, 30
MAX_REDIRECTS = 5
PER_HOST = 4  # requests at a time to one server
USER_AGENT = "tinygrad_hw (images for a course project)"


class Failure(Exception):
    """Why there is no image; the text is one of a few, so that failures can be counted."""


@dataclass
class Fetched:
    """An image, the bytes it was decoded from, and the last part of its address."""

    image: Image.Image
    content: bytes
    name: str


class Fetcher:
    """Fetches images by their addresses. To be used by several threads.

    must_contain: a text that the address has to contain ("" for any).
    Raises ImportError if requests is not installed.
    """

    def __init__(self, must_contain=""):
        try:
            import requests
        except ImportError as error:
            raise ImportError(
                'fetching images needs requests: pip install "tinygrad_hw[data]"'
            ) from error
        self.requests = requests
        self.must_contain = must_contain
        self._threads = threading.local()
        self._hosts, self._lock = {}, threading.Lock()

    def __call__(self, url):
        """The image at `url`. Raises Failure."""
        name = unquote(_split(url).path.rsplit("/", 1)[-1]) if "://" in url else url
        if self.must_contain not in url:
            raise Failure(f"not {self.must_contain}")
        if len(name) <= 1:
            raise Failure("no name")
        content = self.content(url, images_only=True)
        if len(content) < MIN_BYTES:
            raise Failure("under 1 kB")
        try:
            return Fetched(open_image(BytesIO(content), "RGB", url), content, name)
        except ValueError as error:
            raise Failure(
                "image too large" if "allowed are" in str(error) else "damaged image"
            ) from error

    def content(self, url, images_only=False) -> bytes:
        """The bytes at `url`. Raises Failure."""
        errors = self.requests.exceptions
        try:
            with self._turn(url), self._session().get(
                    url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
                if answer.status_code != 200:
                    raise Failure(f"HTTP {answer.status_code}")
                if (
                    "photo_unavailable" in answer.url
                ):  # what Flickr redirects to for a picture that is gone
                    raise Failure("photo unavailable")
                kind = answer.headers.get("Content-Type")
                if images_only and kind is None:
                    raise Failure("no content type")
                if images_only and not kind.lower().startswith("image/"):
                    raise Failure("not an image")
                return _body(answer)
        except errors.TooManyRedirects as error:
            raise Failure("too many redirects") from error
        except errors.MissingSchema as error:
            raise Failure("missing schema") from error
        except (errors.InvalidURL, errors.InvalidSchema, UnicodeError) as error:
            raise Failure("invalid URL") from error
        except errors.ConnectTimeout as error:
            raise Failure("connection timeout") from error
        except (errors.ReadTimeout, TimeoutError) as error:
            raise Failure("read timeout") from error
        except errors.RequestException as error:
            raise Failure("connection error") from error
        except OSError as error:  # of the socket, while the body comes in
            raise Failure("connection error") from error
        except Exception as error:
            if type(error).__module__.startswith("urllib3"):  # requests does not wrap all of them
                raise Failure("read timeout" if "Timeout" in type(error).__name__
                              else "connection error") from error
            raise

    @contextmanager
    def _turn(self, url):
        """Waits until less than PER_HOST requests to the server are under way."""
        with self._lock:
            turn = self._hosts.setdefault(_split(url).netloc, threading.Semaphore(PER_HOST))
        with turn:
            yield

    def _session(self):
        """One session for each thread; requests does not promise that threads may share one."""
        if not hasattr(self._threads, "session"):
            session = self._threads.session = self.requests.Session()
            session.max_redirects = MAX_REDIRECTS
            session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
        return self._threads.session


def _split(url):
    try:
        return urlsplit(url)
    except ValueError as error:
        raise Failure("invalid URL") from error


def _body(answer) -> bytes:
    """The content, as it comes in: a server that sends a byte a second must not hold a thread."""
    deadline = time.monotonic() + TOTAL_SECONDS
    read = getattr(answer.raw, "read1", None)
    pieces, size = [], 0
    while piece := (read(2**16) if read else answer.raw.read(1024)):
        size += len(piece)
        if size > MAX_BYTES:
            raise Failure("too many bytes")
        if time.monotonic() > deadline:
            raise Failure("read timeout")
        pieces.append(piece)
    announced = answer.headers.get("Content-Length", "")
    if announced.isdigit() and size < int(announced):
        raise Failure("connection error")
    return b"".join(pieces)


def fetch_all(tasks, fetch, threads=8):
    """Yields (task, result or Failure) in the order in which they come in; a few tasks run ahead.

    tasks: an iterable; `fetch(task)` runs in one of the threads. Closing the generator drops the tasks
    that have not begun.

    >>> sorted(fetch_all([1, 2, 3], lambda task: task * 10))
    [(1, 10), (2, 20), (3, 30)]
    """
    tasks = iter(tasks)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="fetch")
    running = {}
    try:
        while True:
            for task in itertools.islice(tasks, 2 * threads - len(running)):
                running[pool.submit(fetch, task)] = task
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                try:
                    yield task, future.result()
                except Failure as failure:
                    yield task, failure
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
