"""Text from photographs of handwriting: find the letters, recognise them, put them in lines and words.

    binarize   which pixels are ink, under any light
    letters    strokes joined to letters, with their boxes
    lines      letters grouped to lines and words
    crops      letters as pictures like those that the network learned from
    reader     all of it: a picture to a Page
    score      a reading against the truth: alignment and error rates
    words      correction by a list of words
    pages      pages drawn from fonts, with their truth, to test on
    command    python -m nets read-text

scikit-image does the image processing: pip install ".[ocr]".
"""
