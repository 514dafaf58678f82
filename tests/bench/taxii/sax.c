/* What P12 is measured against: libxml2's push parser by itself, over the bytes of a poll response.
 *
 *     taxii-bench-sax BLOCKS [PIECE]
 *
 * The file's blocks are given to it inside of the response's envelope, in pieces of PIECE bytes (64 KiB). Prints the seconds.
 */
#include <fcntl.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static size_t elements, text;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *space, int spaces,
                  const xmlChar **declared, int attributes, int defaulted, const xmlChar **values)
{
    (void)arg, (void)local, (void)prefix, (void)space, (void)spaces, (void)declared, (void)attributes,
        (void)defaulted;
    (void)values;
    elements++;
}

static void characters(void *arg, const xmlChar *bytes, int size)
{
    (void)arg, (void)bytes;
    text += (size_t)size;
}

int main(int argc, char **argv)
{
    static const char head[] =
        "<t:Poll_Response xmlns:t=\"http://taxii.mitre.org/messages/taxii_xml_binding-1.1\">";
    static const char tail[] = "</t:Poll_Response>";
    int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    struct stat facts;
    if (fd < 0 || fstat(fd, &facts))
        return fprintf(stderr, "usage: taxii-bench-sax BLOCKS [PIECE]\n"), 1;
    size_t size = (size_t)facts.st_size, piece = argc > 2 ? strtoul(argv[2], NULL, 10) : 65536;
    const char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (bytes == MAP_FAILED)
        return perror("mmap"), 1;
    xmlSAXHandler handler = {
        .initialized = XML_SAX2_MAGIC, .startElementNs = start, .characters = characters};
    double began = now();
    xmlParserCtxt *parser = xmlCreatePushParserCtxt(&handler, NULL, head, (int)strlen(head), NULL);
    xmlCtxtUseOptions(parser, XML_PARSE_NONET);
    int result = 0;
    for (size_t at = 0; at < size && !result; at += piece)
        result = xmlParseChunk(parser, bytes + at, (int)(size - at < piece ? size - at : piece), 0);
    if (!result)
        result = xmlParseChunk(parser, tail, (int)strlen(tail), 1);
    if (result || !elements || !text)
        return fprintf(stderr, "taxii-bench-sax: error %d\n", result), 1;
    printf("%.4f\n", now() - began);
    xmlFreeParserCtxt(parser);
    return 0;
}
